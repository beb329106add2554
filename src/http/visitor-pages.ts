import type { FastifyReply, FastifyRequest } from 'fastify';

/** The pages a visitor sees where there is no route or something failed. They answer the reply themselves. */
export interface VisitorPages {
  notFound: (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>;
  failed: (request: FastifyRequest, reply: FastifyReply, status: number) => void | Promise<void>;
}

/** A page of plain text and no style, for where nobody provided better ones. Both arguments are constants of this project, never input. */
export function plainPage(title: string, sentence: string): string {
  return `<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title></head>
<body><h1>${title}</h1><p>${sentence}</p></body></html>
`;
}

function sendPage(reply: FastifyReply, status: number, page: string): void {
  void reply.code(status).header('cache-control', 'no-store').type('text/html; charset=utf-8').send(page);
}

export const plainVisitorPages: VisitorPages = {
  notFound: (_request, reply) => {
    sendPage(reply, 404, plainPage('页面不存在', '链接可能输入有误,请核对后再试。'));
  },
  failed: (_request, reply, status) => {
    const page =
      status < 500 ? plainPage('无法打开', '请求有误,请核对链接后再试。') : plainPage('暂时无法打开', '请稍后再试。');
    sendPage(reply, status, page);
  },
};
