/**
 * How clicks stand in Redis: the streams of the shards, and the text of a stream entry with one or many clicks.
 *
 * The first line of an entry names the version, each following line is a click: `clickId, clickedAt in ms, linkNumber, tag, verdict, visitor,
 * app, os, province`, separated by tabs, an absent value empty. Lines, because a click is then encoded once when it happens, a batch is a
 * join, and a line that cannot be read costs one click and not its batch.
 *
 * Version 2 adds a tenth field, `page`, to the lines of clicks that were answered by the middle page. An entry without such a line is
 * written as version 1, so that a worker of an older program fails only on the entries it could not store. Both versions are read for ever:
 * entries and spools of older processes may arrive at any time.
 */
import assert from 'node:assert/strict';
import { isClickIdText, MAX_CLICKED_AT_MS, MAX_LINK_NUMBER } from '../core/clicks/click-id.ts';
import { VERDICTS } from '../core/clicks/click.ts';
import type { Click, Verdict } from '../core/clicks/click.ts';

/*
 * Clicks are sharded by visitor, so that one consumer decides about all clicks of a visitor. CLICK_SHARDS, which redirects and workers share,
 * may change at any time: workers also drain the shards of an earlier number.
 */

/** The numbers of the shards: 0, 1, …. */
export function shardsOf(count: number): number[] {
  return Array.from({ length: count }, (_, shard) => shard);
}

/** The consumer group of the workers. */
export const CLICK_GROUP = 'ingest';
/** The one field of a stream entry. */
export const CLICK_FIELD = 'clicks';

/** @param visitor 16 hex characters, evenly distributed */
export function shardOf(visitor: string, count: number): number {
  return count === 1 ? 0 : parseInt(visitor.slice(0, 8), 16) % count;
}

/** In a cluster the braces keep all keys of a shard on one node. */
export function streamKey(shard: number): string {
  return `clicks:{${shard}}`;
}

const PLAIN_VERSION = 'clicks/1';
const PAGE_VERSION = 'clicks/2';
/** Group commit gathers 24–35 clicks at 64 connections; the limit only bounds the entry that follows a stall. */
export const MAX_CLICKS_PER_ENTRY = 1_000;
/** Of the free texts (tag, app, os, province), in code points. */
export const MAX_CLICK_TEXT_CHARACTERS = 32;

const FIELD_COUNT = 9;
const PAGE_FIELD_COUNT = 10;
const PAGE_ENDING = '\tpage';
/** Nearly every text is a short word from this program; for those one test replaces the cleaning. */
const PLAIN_TEXT = /^[ -~]{0,32}$/;
const CONTROL_CHARACTERS = /\p{Cc}/gu;
const WHOLE_NUMBER = /^(?:0|[1-9]\d{0,14})$/;
const TAG = /^[a-z0-9_-]{1,32}$/;
const VISITOR = /^[0-9a-f]{16}$/;

export type BadLineReason =
  | 'fields'
  | 'click_id'
  | 'clicked_at'
  | 'link_number'
  | 'tag'
  | 'verdict'
  | 'visitor'
  | 'text';

export type ClickLineReading = { ok: true; click: Click } | { ok: false; reason: BadLineReason };

export interface BadLine {
  /** From 1: the first click of the entry. */
  lineNumber: number;
  line: string;
  reason: BadLineReason;
}

export interface UnreadableBatch {
  ok: false;
  reason: 'unknown_version' | 'empty' | 'too_many_clicks';
}

export type ClickBatchReading = { ok: true; clicks: Click[]; badLines: BadLine[] } | UnreadableBatch;

/** One click as one line, without a line end. Free text is cleaned and cut, never refused: a visitor waits for the answer. */
export function encodeClickLine(click: Click): string {
  const { clickId, linkNumber, verdict, visitor, tag = '', province = '' } = click;
  const texts = `${cleanClickText(click.app)}\t${cleanClickText(click.os)}\t${cleanClickText(province)}`;
  // One template: an array and a join cost three times as much, for every click.
  const line = `${clickId}\t${click.clickedAt.getTime()}\t${linkNumber}\t${tag}\t${verdict}\t${visitor}\t${texts}`;
  return click.outcome === undefined ? line : line + PAGE_ENDING;
}

/**
 * The text of an entry from lines of `encodeClickLine`.
 *
 * @throws AssertionError on no line or more than 1,000: the caller cuts its batches
 */
export function joinClickLines(lines: readonly string[]): string {
  assert(lines.length >= 1 && lines.length <= MAX_CLICKS_PER_ENTRY, 'an entry has 1 to 1,000 clicks');
  const version = lines.some((line) => line.endsWith(PAGE_ENDING)) ? PAGE_VERSION : PLAIN_VERSION;
  return `${version}\n${lines.join('\n')}`;
}

/** The text of an entry, for `decodeClicks`. */
export function encodeClicks(clicks: readonly Click[]): string {
  return joinClickLines(clicks.map(encodeClickLine));
}

/** Splits an entry into its lines, each for `decodeClickLine`. Not `ok`: as `decodeClicks`. */
export function splitClickLines(text: string): { ok: true; lines: string[] } | UnreadableBatch {
  const lines = text.split('\n');
  const version = lines.shift();
  if (version !== PLAIN_VERSION && version !== PAGE_VERSION) return { ok: false, reason: 'unknown_version' };
  if (lines.length === 0) return { ok: false, reason: 'empty' };
  if (lines.length > MAX_CLICKS_PER_ENTRY) return { ok: false, reason: 'too_many_clicks' };
  return { ok: true, lines };
}

/**
 * Reads an entry. Lines that cannot be read are listed beside the clicks of the others. Not `ok`: this version of the program cannot read
 * any of it; the entry must be kept.
 */
export function decodeClicks(text: string): ClickBatchReading {
  const split = splitClickLines(text);
  if (!split.ok) return split;
  const clicks: Click[] = [];
  const badLines: BadLine[] = [];
  for (const [index, line] of split.lines.entries()) {
    const reading = decodeClickLine(line);
    if (reading.ok) clicks.push(reading.click);
    else badLines.push({ lineNumber: index + 1, line, reason: reading.reason });
  }
  return { ok: true, clicks, badLines };
}

/** Reads one line; the reason names the first field that is wrong. Postgres accepts every click that this accepts. */
export function decodeClickLine(line: string): ClickLineReading {
  const fields = line.split('\t', PAGE_FIELD_COUNT + 1);
  const isPage = fields.length === PAGE_FIELD_COUNT && line.endsWith(PAGE_ENDING);
  if (fields.length !== FIELD_COUNT && !isPage) return { ok: false, reason: 'fields' };
  const [clickId = '', time = '', link = '', tag = '', verdict = '', visitor = '', app = '', os = '', province = ''] =
    fields;
  if (!isClickIdText(clickId)) return { ok: false, reason: 'click_id' };
  if (!isWholeNumber(time, { least: 0, most: MAX_CLICKED_AT_MS })) return { ok: false, reason: 'clicked_at' };
  if (!isWholeNumber(link, { least: 1, most: MAX_LINK_NUMBER })) return { ok: false, reason: 'link_number' };
  if (tag !== '' && !TAG.test(tag)) return { ok: false, reason: 'tag' };
  if (!isVerdict(verdict)) return { ok: false, reason: 'verdict' };
  if (!VISITOR.test(visitor)) return { ok: false, reason: 'visitor' };
  if (!isCleanText(app) || !isCleanText(os) || !isCleanText(province)) return { ok: false, reason: 'text' };
  const clickedAt = new Date(Number(time));
  const click: Click = { clickId, clickedAt, linkNumber: Number(link), verdict, visitor, app, os };
  if (tag !== '') click.tag = tag;
  if (province !== '') click.province = province;
  if (isPage) click.outcome = 'page';
  return { ok: true, click };
}

/** Free text as it is stored: control characters (tabs, line ends, NUL) are spaces, lone surrogates replaced, at most 32 code points. */
export function cleanClickText(text: string): string {
  if (PLAIN_TEXT.test(text)) return text;
  // A code point has at most two code units, so cutting here first bounds the work without touching the first 32 code points.
  const codePoints = Array.from(text.slice(0, 2 * MAX_CLICK_TEXT_CHARACTERS));
  return codePoints.slice(0, MAX_CLICK_TEXT_CHARACTERS).join('').toWellFormed().replace(CONTROL_CHARACTERS, ' ');
}

function isCleanText(text: string): boolean {
  return text === '' || cleanClickText(text) === text;
}

function isWholeNumber(text: string, { least, most }: { least: number; most: number }): boolean {
  return WHOLE_NUMBER.test(text) && Number(text) >= least && Number(text) <= most;
}

function isVerdict(text: string): text is Verdict {
  return (VERDICTS as readonly string[]).includes(text);
}
