import { createHmac, hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ForeignCursorError, MalformedCursorError, OtherFilterCursorError } from '../../src/events/errors.ts';
import { type CursorBinding, createCursorSigner } from '../../src/events/event-cursor.ts';
import { type Checksum, covers, type Position } from '../../src/events/position.ts';

const secret = 'a secret of more than sixteen characters';
const binding: CursorBinding = { viewerId: 'ada', stream: 'grantEvents', filter: { ticketId: 'SUP-1' } };
const position: Position = { next: 7000n, open: [{ txid: 6995n, through: 41_000n }] };

/** The position of a reader whose last page had two transactions, one of them late. */
function withChecksum({ next, open }: Position): Position {
  const checksum = { late: [next - 9n], from: next - 2n, to: next, except: open, value: 0xfedc_ba98_7654n };
  return { next, open, checksum };
}

const openBelow = (next: bigint) =>
  fc
    .uniqueArray(fc.record({ below: fc.bigInt(1n, 5000n), through: fc.bigInt(0n, 2n ** 63n) }), {
      selector: ({ below }) => below,
      maxLength: 64,
    })
    .map((open) =>
      open
        .map(({ below, through }) => ({ txid: next - below, through }))
        .sort((one, other) => (one.txid < other.txid ? -1 : 1)),
    );

const checksums = (to: bigint, except: Checksum['except']): fc.Arbitrary<Checksum> =>
  fc
    .record({
      late: fc.uniqueArray(fc.bigInt(to - 8000n, to - 5001n), { maxLength: 64 }),
      from: fc.bigInt(to - 5000n, to),
      to: fc.constant(to),
      except: fc.constant(except),
      value: fc.bigInt(0n, 2n ** 48n - 1n),
    })
    .map((checksum) => ({ ...checksum }));

/** Without a checksum, with one of its own, and with one that covers what another position includes. */
const positions: fc.Arbitrary<Position> = fc.bigInt(10_000n, 2n ** 63n).chain((next) =>
  openBelow(next).chain((open) =>
    fc.oneof(
      fc.constant({ next, open }),
      checksums(next, open).map((checksum) => ({ next, open, checksum })),
      fc
        .bigInt(next - 1000n, next + 1000n)
        .chain((to) => openBelow(to).chain((except) => checksums(to, except)))
        .map((checksum) => ({
          next,
          open,
          checksum: { ...checksum, except: checksum.except.filter(({ txid }) => txid >= checksum.from) },
        })),
    ),
  ),
);

/** A cursor of these parts with a valid signature: what this gateway, or another version of it, could have issued. */
function signed(head: string, body: string): string {
  const key = createHmac('sha256', secret).update(head).digest('base64url');
  return head + body + hash('sha512-256', key + body, 'base64url').slice(0, 22);
}

/** A position, and how often it was read, which is how often it was encoded. */
function watched(): { position: Position; reads: () => number } {
  let count = 0;
  const position: Position = {
    get next() {
      count += 1;
      return 7000n;
    },
    open: [],
  };
  return { position, reads: () => count };
}

const headOf = (text: string): string => text.slice(0, 20);
const bodyOf = (text: string): string => text.slice(20, -22);

describe('a cursor', () => {
  test('decodes to the position it was encoded from', () => {
    const cursors = createCursorSigner([secret])(binding);
    fc.assert(
      fc.property(positions, (some) => {
        expect(cursors.decode(cursors.encode(some))).toStrictEqual(some);
      }),
    );
  });

  test('stays short, at the price of repetitions, when very many transactions are open', () => {
    const cursors = createCursorSigner([secret])(binding);
    const crowded: Position = {
      next: 10_000_000_000n,
      open: Array.from({ length: 900 }, (_, index) => ({
        txid: 9_999_990_000n + BigInt(index),
        through: 0n,
      })),
    };
    const text = cursors.encode(crowded);
    expect(text.length).toBeLessThan(1200);
    expect(covers(crowded, cursors.decode(text))).toBe(true);
    // With a transaction number of a cluster that has run for years.
    const usual = withChecksum({ next: 3_000_000_000n, open: [{ txid: 2_999_999_990n, through: 0n }] });
    expect(cursors.encode(usual).length).toBeLessThan(75);
  });

  test('is accepted at its longest', () => {
    const cursors = createCursorSigner([secret])(binding);
    const next = 2n ** 62n;
    const openFrom = (first: bigint) =>
      Array.from({ length: 64 }, (_, index) => ({ txid: first + BigInt(index), through: 2n ** 40n }));
    const late = Array.from({ length: 64 }, (_, index) => next - 60_000n - BigInt(index));
    const position: Position = {
      next,
      open: openFrom(next - 100_000n),
      checksum: { late, from: next - 50_000n, to: next, except: openFrom(next - 40_000n), value: 2n ** 47n },
    };
    const text = cursors.encode(position);
    expect(text.length).toBeLessThanOrEqual(2_048);
    expect(cursors.decode(text)).toStrictEqual(position);
  });

  test('of a position with too many open transactions for its checksum has none', () => {
    const cursors = createCursorSigner([secret])(binding);
    const next = 10_000n;
    const open = Array.from({ length: 65 }, (_, index) => ({ txid: 9_000n + BigInt(index), through: 0n }));
    expect(cursors.decode(cursors.encode(withChecksum({ next, open }))).checksum).toBeUndefined();
  });

  test('of a version without checksums is accepted', () => {
    const cursors = createCursorSigner([secret])({
      ...binding,
      filter: { ticketId: 'SUP-1', siteId: 'site' },
    });
    const earlier = 'Af3uQw1AvVcPsQ7XNmJF2DZ_gAEJhyC2uTf0GkL5Ug6OODiOJ';
    expect(cursors.decode(earlier)).toStrictEqual({ next: 7000n, open: [{ txid: 6873n, through: 128n }] });
  });

  test('is refused for another viewer', () => {
    const sign = createCursorSigner([secret]);
    const text = sign(binding).encode(position);
    expect(() => sign({ ...binding, viewerId: 'bob' }).decode(text)).toThrow(ForeignCursorError);
  });

  test('is refused for another subscription or filter', () => {
    const sign = createCursorSigner([secret]);
    const text = sign(binding).encode(position);
    expect(() => sign({ ...binding, stream: 'auditEvents' }).decode(text)).toThrow(OtherFilterCursorError);
    expect(() => sign({ ...binding, filter: {} }).decode(text)).toThrow(OtherFilterCursorError);
    expect(() => sign({ ...binding, filter: { ticketId: 'SUP-2' } }).decode(text)).toThrow(
      OtherFilterCursorError,
    );
  });

  test.each([
    ['times', { since: new Date(1_000) }, { since: new Date(2_000) }],
    ['numbers', { atLeast: 1 }, { atLeast: 2 }],
    ['lists', { states: ['ACTIVE', 'ENDED'] }, { states: ['ENDED', 'ACTIVE'] }],
    ['a list and an object', { states: ['ACTIVE'] }, { states: { 0: 'ACTIVE' } }],
    ['an absent field and null', {}, { state: null }],
  ])('is refused for a filter that differs in %s', (_what, one, other) => {
    const sign = createCursorSigner([secret]);
    const text = sign({ ...binding, filter: one }).encode(position);
    expect(sign({ ...binding, filter: structuredClone(one) }).decode(text)).toStrictEqual(position);
    expect(() => sign({ ...binding, filter: other }).decode(text)).toThrow(OtherFilterCursorError);
  });

  test('has the same text in every release of this version, since clients hold cursors meanwhile', () => {
    const cursors = createCursorSigner([secret])({
      ...binding,
      filter: { ticketId: 'SUP-1', siteId: 'site' },
    });
    const edge = withChecksum({ next: 7000n, open: [{ txid: 6873n, through: 128n }] });
    expect(cursors.encode(edge)).toBe('Av3uQw1AvVcPsQ7XNmJF2DYBf4ABAQIBCdTs4dTL2z8sFmkkaBFBD5dwtGSGSStX-');
    const { checksum } = withChecksum({ next: 7010n, open: [{ txid: 6999n, through: 0n }] });
    if (checksum === undefined) throw new Error('no checksum');
    expect(cursors.encode({ ...edge, checksum: { ...checksum, from: 6999n } })).toBe(
      'Av3uQw1AvVcPsQ7XNmJF2DYBf4ABAuI2AQsACwEJ1Ozh1MvbPwmtw8yD_mQkcK3f2yuFoNV3',
    );
  });

  test('of a position is encoded once for all subscribers, if at most 128 other positions come in between', () => {
    const sign = createCursorSigner([secret]);
    const [ada, bob] = [sign(binding), sign({ ...binding, viewerId: 'bob' })];
    const all = Array.from({ length: 500 }, watched);
    for (const [index, { position }] of all.entries()) {
      ada.encode(position);
      const earlier = all[index - 128];
      if (earlier === undefined) continue;
      bob.encode(earlier.position);
      expect(earlier.reads()).toBe(1);
    }
  });

  test('of an old position is encoded again: its text is not kept', () => {
    const cursors = createCursorSigner([secret])(binding);
    const first = watched();
    const text = cursors.encode(first.position);
    for (let count = 0; count < 258; count += 1) cursors.encode(watched().position);
    expect(cursors.encode(first.position)).toBe(text);
    expect(first.reads()).toBe(2);
  });

  test('is valid for an equal filter, whatever the order of its keys', () => {
    const sign = createCursorSigner([secret]);
    const written = {
      ...binding,
      filter: { siteId: 'site', nested: { one: 1, two: [2, 3] }, no: undefined },
    };
    const rewritten = { ...binding, filter: { nested: { two: [2, 3], one: 1 }, siteId: 'site' } };
    expect(sign(rewritten).decode(sign(written).encode(position))).toStrictEqual(position);
    const absent = { ...binding, filter: undefined };
    expect(sign({ ...binding, filter: null }).decode(sign(absent).encode(position))).toStrictEqual(position);
  });

  test('is refused after any change to it', () => {
    const cursors = createCursorSigner([secret])(binding);
    const text = cursors.encode(position);
    fc.assert(
      fc.property(
        fc.nat({ max: text.length - 1 }),
        fc.constantFrom(...'ABCxyz019-_=+/ \0é'),
        (at, character) => {
          fc.pre(text[at] !== character);
          const altered = text.slice(0, at) + character + text.slice(at + 1);
          expect(() => cursors.decode(altered)).toThrow(MalformedCursorError);
        },
      ),
    );
    expect(() => cursors.decode(text.slice(0, -1))).toThrow(MalformedCursorError);
    expect(() => cursors.decode(`${text}=`)).toThrow(MalformedCursorError);
  });

  test('is refused if it is longer than 2,048 characters, even with a valid signature', () => {
    const cursors = createCursorSigner([secret])(binding);
    const text = cursors.encode(position);
    expect(signed(headOf(text), bodyOf(text)), 'the test signs as the signer does').toBe(text);
    // No open transactions, and a `next` of zero that takes as many bytes as there are.
    const numbers = Buffer.from([...Array(1_502).fill(128), 0, 0]);
    const longest = signed(headOf(text), numbers.toString('base64url'));
    const tooLong = signed(headOf(text), 'A'.repeat(2_007));
    expect([longest.length, tooLong.length]).toEqual([2_048, 2_049]);
    expect(cursors.decode(longest).next).toBe(0n);
    expect(() => cursors.decode(tooLong)).toThrow(MalformedCursorError);
  });

  test.each([
    ['no number', []],
    ['one number', [5]],
    ['half of an open transaction', [5, 1, 0]],
    ['fewer open transactions than it says', [5, 2, 1, 0]],
    ['a part of a checksum', [5, 0, 1, 2]],
    ['fewer late transactions than its checksum says', [5, 0, 1, 2, 3, 4, 5]],
    ['a number too many', [5, 0, 1, 2, 0, 7, 0]],
    ['an unfinished number', [5, 128]],
  ])('is refused if its position has %s, even with a valid signature', (_what, numbers) => {
    const cursors = createCursorSigner([secret])(binding);
    const text = signed(headOf(cursors.encode(position)), Buffer.from(numbers).toString('base64url'));
    expect(() => cursors.decode(text)).toThrow(MalformedCursorError);
  });

  test('is refused if its version is another one, even with a valid signature', () => {
    const cursors = createCursorSigner([secret])(binding);
    const text = cursors.encode(position);
    for (const version of [0, 3, 255]) {
      const head = Buffer.from(headOf(text), 'base64url');
      head[0] = version;
      const other = signed(head.toString('base64url'), bodyOf(text));
      expect(() => cursors.decode(other)).toThrow(MalformedCursorError);
    }
  });

  test('is refused if it is any other text', () => {
    const cursors = createCursorSigner([secret])(binding);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
        expect(() => cursors.decode(text)).toThrow(MalformedCursorError);
      }),
    );
    expect(() => cursors.decode('A'.repeat(1_000_000))).toThrow(MalformedCursorError);
  });

  test('is refused if signed with another secret, and accepted if signed with an earlier one', () => {
    const text = createCursorSigner([secret])(binding).encode(position);
    const other = 'another secret of more than sixteen characters';
    expect(() => createCursorSigner([other])(binding).decode(text)).toThrow(MalformedCursorError);
    const rotated = createCursorSigner([other, secret])(binding);
    expect(rotated.decode(text)).toStrictEqual(position);
    expect(rotated.encode(position)).not.toBe(text);
  });

  test('needs secrets of at least 16 characters', () => {
    const tooShort = 'A cursor secret needs at least 16 characters';
    expect(() => createCursorSigner(['fifteen letters'])).toThrow(tooShort);
    expect(() => createCursorSigner([secret, 'fifteen letters'])).toThrow(tooShort);
    const shortest = createCursorSigner(['sixteen letters!'])(binding);
    expect(shortest.decode(shortest.encode(position))).toStrictEqual(position);
  });
});
