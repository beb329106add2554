import { setTimeout as sleep } from 'node:timers/promises';
import { signShop } from '../../../src/platforms/shop/verify.ts';
import type { ShopMessage } from '../../../src/local/demo/platform-messages.ts';
import { messagesOf, planOrders } from '../../journey/sales-plan.ts';
import type { BusyMarket, PlannedOrder } from '../../journey/sales-plan.ts';
import { createKeptConnections, exchange } from './exchange.ts';
import type { Exchange } from './exchange.ts';
import type { Door } from './visits.ts';

export interface SalesCounts {
  /** Messages, each counted once however often it was sent. */
  acknowledged: number;
  attempts: number;
  /** Answers 503, by which a sender knows that it must come again. */
  unavailable: number;
  /** Attempts at a door where nobody listened. */
  refused: number;
  /** Attempts whose answer never came. */
  lost: number;
  /** Messages with a wrong signature that were refused, as they must be. */
  refusedForgeries: number;
}

export interface Sales {
  readonly counts: SalesCounts;
  /** What the books must show once everything was acknowledged. */
  readonly plan: readonly PlannedOrder[];
  /** Answers that must not be: a 500, a refusal of what is right, an acceptance of what is forged. */
  readonly faults: readonly string[];
  /** The slowest answer, whatever it said. */
  slowestMs(): number;
  /** Sends what is left without pauses; resolves when every message was acknowledged. */
  finish(signal: AbortSignal): Promise<void>;
  stop(): void;
}

export interface SalesOptions {
  doors: readonly Door[];
  market: BusyMarket;
  /** A click id that a visitor of this link was really given. */
  clickIdFor: (influencer: number, product: number) => string;
  orders: number;
  perSecond: number;
  size: { products: number; influencers: number };
  random: (below: number) => number;
}

interface Delivery {
  message: ShopMessage;
  isForged: boolean;
}

const DUPLICATE_PERCENT = 30;
const REORDERED_PERCENT = 20;
const FORGED_PERCENT = 5;
const MOVED_BY = 40;
/** As long as the most patient sender waits. */
const TIMEOUT_MS = 10_000;
const RETRY_MS = 250;
const SENDERS = 8;
const WRONG_SECRET = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;

/** Duplicates somewhere behind their first, some messages out of order, forgeries in between. */
function disturb(messages: readonly ShopMessage[], random: SalesOptions['random']): Delivery[] {
  const deliveries = messages.map((message): Delivery => ({ message, isForged: false }));
  const insert = (delivery: Delivery, at: number): void => void deliveries.splice(at, 0, delivery);
  for (let index = 0; index < deliveries.length; index += 1) {
    const delivery = deliveries[index];
    if (delivery !== undefined && random(100) < REORDERED_PERCENT) {
      deliveries.splice(index, 1);
      insert(delivery, Math.min(deliveries.length, index + random(MOVED_BY)));
    }
  }
  for (const message of messages) {
    const first = deliveries.findIndex((each) => each.message === message);
    if (random(100) < DUPLICATE_PERCENT) insert({ message, isForged: false }, first + 1 + random(MOVED_BY));
    if (random(100) < FORGED_PERCENT) insert({ message, isForged: true }, first);
  }
  return deliveries;
}

class Shop implements Sales {
  readonly counts: SalesCounts = {
    acknowledged: 0,
    attempts: 0,
    unavailable: 0,
    refused: 0,
    lost: 0,
    refusedForgeries: 0,
  };
  readonly plan: readonly PlannedOrder[];
  readonly faults: string[] = [];
  readonly #options: SalesOptions;
  readonly #deliveries: Delivery[];
  readonly #acknowledged = new Set<string>();
  readonly #agent = createKeptConnections(SENDERS);
  readonly #running: Promise<void>;
  readonly #stopped = new AbortController();
  #next = 0;
  #slowestMs = 0;
  #isHurried = false;

  constructor(options: SalesOptions) {
    this.#options = options;
    const { orders, size, random, market, clickIdFor } = options;
    this.plan = planOrders({ orders, ...size, evidence: ['click', 'coupon', 'note', 'none'] }, random);
    const at = new Date();
    const messages = this.plan.flatMap((order) => messagesOf(order, market, { at, clickIdFor }));
    this.#deliveries = disturb(messages, random);
    this.#running = this.#work();
  }

  slowestMs(): number {
    return Math.round(this.#slowestMs);
  }

  async finish(signal: AbortSignal): Promise<void> {
    this.#isHurried = true;
    signal.addEventListener('abort', () => this.#stopped.abort());
    await this.#running;
  }

  stop(): void {
    this.#stopped.abort();
    this.#agent.destroy();
  }

  async #work(): Promise<void> {
    const pauseMs = (SENDERS / this.#options.perSecond) * 1_000;
    const work = async (): Promise<void> => {
      for (let delivery = this.#take(); delivery !== undefined; delivery = this.#take()) {
        await this.#insist(delivery);
        if (!this.#isHurried && !this.#stopped.signal.aborted) await sleep(pauseMs);
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, work));
  }

  #take(): Delivery | undefined {
    return this.#stopped.signal.aborted ? undefined : this.#deliveries[this.#next++];
  }

  /** Sends one message until it is answered for good: a shop does the same, only more slowly. */
  async #insist(delivery: Delivery): Promise<void> {
    const { doors, random } = this.#options;
    for (let door = random(doors.length); !this.#stopped.signal.aborted; door += 1) {
      const { port = 0 } = doors[door % doors.length] ?? {};
      const answer = await this.#post(port, delivery);
      if (this.#isSettled(answer, delivery)) return;
      await sleep(RETRY_MS / 2 + random(RETRY_MS));
    }
  }

  async #post(port: number, { message, isForged }: Delivery): Promise<Exchange> {
    const { market } = this.#options;
    const body = JSON.stringify(message.event);
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const secret = isForged ? WRONG_SECRET : market.secret;
    const signature = signShop({ rawBody: Buffer.from(body), id: message.id, timestamp, secret });
    const answer = await exchange({
      port,
      method: 'POST',
      path: `/hooks/shops/${market.storeId}`,
      headers: {
        'content-type': 'application/json',
        'webhook-id': message.id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signature,
      },
      body,
      timeoutMs: TIMEOUT_MS,
      agent: this.#agent,
    });
    this.counts.attempts += 1;
    this.#slowestMs = Math.max(this.#slowestMs, answer.tookMs);
    return answer;
  }

  #isSettled(answer: Exchange, { message, isForged }: Delivery): boolean {
    if (answer.kind !== 'answer') {
      if (answer.kind === 'refused') this.counts.refused += 1;
      else this.counts.lost += 1;
      return false;
    }
    if (answer.status === 503) {
      this.counts.unavailable += 1;
      return false;
    }
    if (answer.status === (isForged ? 401 : 200)) {
      if (isForged) this.counts.refusedForgeries += 1;
      else this.#acknowledged.add(message.id);
      this.counts.acknowledged = this.#acknowledged.size;
      return true;
    }
    const what = isForged ? 'a forged message' : 'a message';
    this.faults.push(`${what}, ${message.id}, was answered ${answer.status}: ${answer.text.slice(0, 200)}`);
    return true;
  }
}

/** A shop that tells of its orders, as badly as shops do, until each message is acknowledged. */
export function startSales(options: SalesOptions): Sales {
  return new Shop(options);
}
