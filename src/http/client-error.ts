import type { Socket } from 'node:net';

/** Malformed HTTP never becomes a request: the answer is a status line and a word, and the connection ends. */
const ANSWERS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** The answer Node is writing on a socket, if any; the same member its own handler of malformed requests reads. */
interface AnsweringSocket extends Socket {
  _httpMessage?: { headersSent: boolean } | null;
}

export function answerClientError(error: Error & { code?: string }, socket: AnsweringSocket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const status = ANSWERS[error.code ?? ''] ?? '400 Bad Request';
  const body = `${status.slice(4)}\n`;
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  // Half-way through an answer, a second status line would become part of its body.
  if (socket.writable && socket._httpMessage?.headersSent !== true) socket.write(head + body);
  socket.destroy();
}
