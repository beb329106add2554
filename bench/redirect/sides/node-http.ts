/** What Node itself can do: every request gets the same 302. */
import { createServer } from 'node:http';

const server = createServer((_request, response) => {
  response.writeHead(302, {
    Location: 'https://item.taobao.com/item.htm?id=600000000001&dh_click=x',
    'Content-Length': 0,
  });
  response.end();
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(`ready on http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
});
