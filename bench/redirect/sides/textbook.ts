/**
 * The redirect with a click log as it is usually written: Fastify, links in a Map of the process, a random id, one XADD per click through
 * ioredis, answered when it was acknowledged. It stores address and user agent as they come; it tells no bots, hashes nothing, counts
 * nothing. No async function, which would cost it a tenth.
 *
 * REDIS_URL: where to; LINKS: a JSON list of codes.
 */
import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import { Redis } from 'ioredis';

const redis = new Redis(process.env['REDIS_URL'] ?? '');
const codes = JSON.parse(process.env['LINKS'] ?? '[]') as string[];
const links = new Map(
  codes.map((code, number) => [
    code,
    { number, url: `https://item.taobao.com/item.htm?id=${600_000_000_000 + number}` },
  ]),
);

const app = Fastify();
app.get<{ Params: { code: string; tag: string } }>('/:code/:tag', (request, reply) => {
  const link = links.get(request.params.code);
  if (link === undefined) {
    void reply.code(404).send();
    return;
  }
  const id = randomUUID();
  redis
    .xadd(
      'textbook',
      '*',
      'id',
      id,
      'link',
      link.number,
      'tag',
      request.params.tag,
      'at',
      Date.now(),
      'ip',
      request.ip ?? '',
      'ua',
      request.headers['user-agent'] ?? '',
    )
    .then(() => reply.header('cache-control', 'no-store').redirect(`${link.url}&dh_click=${id}`, 302))
    .catch(() => reply.code(503).send());
});
console.log(`ready on ${await app.listen({ host: '127.0.0.1', port: 0 })}`);
