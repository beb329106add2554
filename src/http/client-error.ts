import type { Socket } from 'node:net';

import { plainPage } from './visitor-pages.ts';

/** Malformed HTTP never becomes a request: the answer is a status line and a word or a page, and the connection ends. */
const ANSWERS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Content Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** The answer Node is writing on a socket, if any; the same member its own handler of malformed requests reads. */
interface AnsweringSocket extends Socket {
  _httpMessage?: { headersSent: boolean } | null;
}

/** As Node gives it to us: `rawPacket` is the piece of the connection that could not be read. */
interface ClientError extends Error {
  code?: string;
  /** A buffer. */
  rawPacket?: unknown;
}

/** A visitor's own address stands in the first line, each byte as one character. */
const FIRST_LINE = /^(?:GET|HEAD) (\/[^\s]{0,1000}) HTTP\/1\.[01]\r?\n/;
const PAGE = plainPage('无法打开', '请求有误，请核对链接后再试。');

/**
 * What to answer to bytes that HTTP's parser refuses.
 *
 * @param mendAddress  the path that a visitor's address with bare bytes in it (`/k7q2m8x。`) should have been, if it is one; old web views
 *   send such
 */
export function createClientErrorAnswer(mendAddress: (address: string) => string | undefined) {
  const mended = ({ code, rawPacket }: ClientError): string | undefined => {
    if (code !== 'HPE_INVALID_URL' || !Buffer.isBuffer(rawPacket)) return undefined;
    const address = FIRST_LINE.exec(rawPacket.toString('latin1', 0, 1_100))?.[1];
    return address === undefined ? undefined : mendAddress(address);
  };
  return (error: ClientError, socket: AnsweringSocket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const location = mended(error);
    const status = location === undefined ? (ANSWERS[error.code ?? ''] ?? '400 Bad Request') : '302 Found';
    const isPage = error.code === 'HPE_INVALID_URL';
    const body = isPage ? PAGE : `${status.slice(4)}\n`;
    const type = isPage ? 'text/html; charset=utf-8' : 'text/plain';
    const where = location === undefined ? '' : `Location: ${location}\r\nCache-Control: no-store\r\n`;
    const head = `HTTP/1.1 ${status}\r\n${where}Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
    // Half-way through an answer, a second status line would become part of its body.
    if (socket.writable && socket._httpMessage?.headersSent !== true) socket.write(head + body);
    socket.destroy();
  };
}
