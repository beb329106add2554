/** How the processes of one `daihuo serve --workers` speak with each other, over the channel that node:cluster gives them. */

/** A worker seen from the process that forked it, or `process` seen from within a worker. */
export interface Channel {
  send?(message: object, sent: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

export interface Line {
  /** Resolves to what the other side answers; rejects where it fails, or says nothing within two seconds. */
  ask(): Promise<unknown>;
  /** The other side has ended: whoever waits for an answer is told so at once. */
  close(): void;
}

const ANSWER_WAIT_MS = 2_000;

interface Message {
  daihuo: 'question' | 'answer';
  number: number;
  /** Of an answer; absent where the other side failed. */
  value?: unknown;
}

function isMessage(message: unknown): message is Message {
  const kind = (message as Partial<Message> | null)?.daihuo;
  return kind === 'question' || kind === 'answer';
}

/** Each side has one question, so questions have no name. @param answer  called for every question of the other side */
export function openLine(channel: Channel, answer: () => Promise<unknown>): Line {
  const asked = new Map<number, (message: Pick<Message, 'value'>) => void>();
  let lastNumber = 0;
  // Who left in between hears nothing, and is missed by nobody.
  const send = (message: Message): void => void channel.send?.(message, () => undefined);
  channel.on('message', (message) => {
    if (!isMessage(message)) return;
    const { daihuo, number } = message;
    if (daihuo === 'answer') {
      asked.get(number)?.(message);
      return;
    }
    answer().then(
      (value) => send({ daihuo: 'answer', number, value }),
      () => send({ daihuo: 'answer', number }),
    );
  });
  return {
    ask: async () => {
      const number = (lastNumber += 1);
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      const timer = setTimeout(reject, ANSWER_WAIT_MS, new Error('the other process does not answer'));
      asked.set(number, ({ value }) =>
        value === undefined ? reject(new Error('the other process cannot answer')) : resolve(value),
      );
      send({ daihuo: 'question', number });
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        asked.delete(number);
      }
    },
    close: () => {
      for (const settle of asked.values()) settle({});
    },
  };
}
