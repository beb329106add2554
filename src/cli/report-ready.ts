import cluster from 'node:cluster';

/** What a process of several says to the one that forked it, when it can be sent requests. */
export const READY_MESSAGE = 'daihuo: ready';

/** Says that requests are answered at `address`: to a person, or, from one of several processes, to the one that forked it. */
export function reportReady(address: string): void {
  if (cluster.isWorker) process.send?.(READY_MESSAGE);
  else console.log(`daihuo ready on ${address}`);
}
