/** The yardstick: Fastify with its default options answers one route with a 302 and does nothing else. */
import Fastify from 'fastify';

const app = Fastify();
app.get('/:code/:tag', (_request, reply) => {
  void reply.redirect('https://item.taobao.com/item.htm?id=600000000001&dh_click=x', 302);
});
console.log(`ready on ${await app.listen({ host: '127.0.0.1', port: 0 })}`);
