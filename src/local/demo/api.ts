import { z } from 'zod';
import type { Server } from '../../http/server.ts';
import { OperatorFault } from '../../infra/failures.ts';

export interface ApiRequest {
  method: 'GET' | 'POST' | 'DELETE';
  /** From `/`, with the query. */
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** Sends one request to a daihuo server, over the network or inside this process. */
export type Send = (request: ApiRequest) => Promise<{ status: number; text: string }>;

/** The API under one key. A zod schema reads the needed part of each answer. */
export interface Api {
  /** @throws ApiFault on any answer but a 2xx */
  get<T>(path: string, shape: z.ZodType<T>): Promise<T>;
  /** @throws ApiFault on any answer but a 2xx */
  post<T>(path: string, body: object, shape: z.ZodType<T>): Promise<T>;
  /** @throws ApiFault on any answer but a 2xx */
  remove(path: string): Promise<void>;
}

/** The API answered with a status other than 2xx. */
export class ApiFault extends OperatorFault {
  readonly status: number;

  constructor(request: Pick<ApiRequest, 'method' | 'path'>, status: number, detail: string) {
    super(`${request.method} ${request.path} answered ${status}: ${detail}`);
    this.status = status;
  }
}

const problemShape = z.object({ detail: z.string() });

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function createApi(send: Send, key: string): Api {
  const ask = async (request: Omit<ApiRequest, 'headers'>): Promise<unknown> => {
    const headers: Record<string, string> = { authorization: `Bearer ${key}` };
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    const { status, text } = await send({ ...request, headers });
    const body = readJson(text);
    if (status >= 200 && status < 300) return body;
    const problem = problemShape.safeParse(body);
    throw new ApiFault(request, status, problem.success ? problem.data.detail : 'that is not an answer of daihuo');
  };
  const read = <T>(path: string, body: unknown, shape: z.ZodType<T>): T => {
    const parsed = shape.safeParse(body);
    if (parsed.success) return parsed.data;
    throw new OperatorFault(`${path} answered what this version does not expect: ${z.prettifyError(parsed.error)}`);
  };
  return {
    get: async (path, shape) => read(path, await ask({ method: 'GET', path }), shape),
    post: async (path, body, shape) =>
      read(path, await ask({ method: 'POST', path, body: JSON.stringify(body) }), shape),
    remove: async (path) => {
      await ask({ method: 'DELETE', path });
    },
  };
}

const pageShape = z.object({ data: z.array(z.unknown()), nextCursor: z.string().nullable() });

/** Every item of a list, page by page. */
export async function listAll<T>(api: Api, path: string, item: z.ZodType<T>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const joint = path.includes('?') ? '&' : '?';
    const place: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await api.get(`${path}${joint}limit=200${place}`, pageShape.extend({ data: z.array(item) }));
    items.push(...page.data);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return items;
}

/** Sends requests into an application of this process, also before it listens. Every rule of the API applies. */
export function sendInto(app: Server): Send {
  return async ({ method, path, headers, body }) => {
    const answer = await app.inject({ method, url: path, headers, ...(body === undefined ? {} : { payload: body }) });
    return { status: answer.statusCode, text: answer.payload };
  };
}

/** A server that needs longer than this for one answer hangs; the demo reports it instead of waiting for ever. */
const ANSWER_TIMEOUT_MS = 30_000;

/** Sends a request over the network. Returns redirects as answers and does not follow them. */
export async function fetchFrom(origin: string, { path, ...request }: ApiRequest | VisitRequest): Promise<Response> {
  try {
    return await fetch(`${origin}${path}`, {
      ...request,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
  } catch (error) {
    throw new OperatorFault(
      `No daihuo answers at ${origin}. Start one with 'npm start', or name a running one with --url.`,
      { cause: error },
    );
  }
}

export interface VisitRequest {
  method: 'GET' | 'HEAD' | 'POST';
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** @throws OperatorFault from the returned function where no server answers at `origin` */
export function sendOver(origin: string): Send {
  return async (request) => {
    const response = await fetchFrom(origin, request);
    return { status: response.status, text: await response.text() };
  };
}
