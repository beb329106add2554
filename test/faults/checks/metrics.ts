import { exchange } from '../driver/exchange.ts';

/** The text of /metrics; undefined where nobody answers. */
export async function readMetrics(port: number): Promise<string | undefined> {
  const answer = await exchange({ port, method: 'GET', path: '/metrics', headers: {}, timeoutMs: 2_000 });
  return answer.kind === 'answer' && answer.status === 200 ? answer.text : undefined;
}

/** The sum of a metric over its labels; undefined where there is no such metric. */
export function sumOf(metrics: string, name: string, label = ''): number | undefined {
  const values = metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .filter((line) => line.includes(label))
    .map((line) => Number(/^\S+\s+(\S+)/.exec(line.replace(/\{[^}]*\}/, ''))?.[1]));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}
