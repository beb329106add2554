import { createServer } from 'node:net';

/**
 * A TCP port on 127.0.0.1 that nobody listens to at the moment. Another process may take it before it is used, so whoever uses it must be
 * ready to ask again.
 */
export async function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('the system gave no port'));
        else resolve(address.port);
      });
    });
  });
}
