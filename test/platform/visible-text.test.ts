import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isVisible, visibleText } from '../../src/platform/visible-text.ts';

describe('visible text', () => {
  test.each([
    ['a zero width space', 'ac\u200bme', 'acme'],
    ['a byte order mark', '\ufeffacme', 'acme'],
    ['a soft hyphen', 'ac\u00adme', 'acme'],
    ['a right-to-left override', 'annual\u202efdp.exe', 'annualfdp.exe'],
    ['isolates', '\u2066acme\u2069', 'acme'],
    ['direction marks', 'acme\u200e\u200f\u061c', 'acme'],
    ['a joiner between letters that do not join', 'ac\u200dme\u200c.', 'acme.'],
    ['a row of joiners', 'می\u200c\u200c\u200dخواهم', 'میخواهم'],
    ['tags that spell a hidden text', 'acme\u{e0068}\u{e0069}', 'acme'],
    ['tags behind a flag that are no flag', '\u{1f3f4}\u{e0068}\u{e0069}', '\u{1f3f4}'],
    ['selectors that hide bytes', '\u{1f600}\ufe0f\ufe0f\u{e0101}', '\u{1f600}\ufe0f'],
    ['a selector behind a digit', '1\ufe0f', '1'],
    ['fillers of Hangul', '\u3164\uffa0acme\u115f', 'acme'],
    ['notes between the lines', '\ufff9a\ufffab\ufffb', 'ab'],
  ])('has lost %s', (_what, text, visible) => {
    expect(visibleText(text)).toBe(visible);
  });

  test.each([
    ['a family', '\u{1f469}\u{1f3fd}\u200d\u2764\ufe0f\u200d\u{1f48b}\u200d\u{1f468}'],
    ['the flag of Scotland', '\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}'],
    ['a rainbow flag', '\u{1f3f3}\ufe0f\u200d\u{1f308}'],
    ['a keycap', '1\ufe0f\u20e3'],
    ['Persian', 'می\u200cخواهم'],
    ['an abbreviation in Persian', '۱۴۰۰ ه\u200d.ش'],
    ['Sinhala', 'ශ්\u200dරී ලංකා'],
    ['Hindi', 'क्\u200dष'],
    ['Malayalam', 'ന്\u200d'],
    ['Mongolian', 'ᠠ\u180bᠰ'],
    ['a Japanese name', '葛\u{e0100}城'],
    ['Arabic numbers', '\u0600١٢'],
    ['Hebrew with English', 'שלום acme!'],
    ['lines', 'one\n\ttwo'],
    ['accents', 'Łódź, Ångström, ệ'],
  ])('keeps %s', (_what, text) => {
    expect(visibleText(text)).toBe(text);
    expect(isVisible(text)).toBe(true);
  });

  test('is composed, has one kind of line break and no spaces around it', () => {
    expect(visibleText('refuse\u0301')).toBe('refusé');
    expect(visibleText('refuse\u200b\u0301')).toBe('refusé');
    expect(visibleText('one\r\ntwo\rthree')).toBe('one\ntwo\nthree');
    expect(visibleText(' \u200b acme\u00a0\ufeff ')).toBe('acme');
  });

  test('stays as it is when it is made visible again', () => {
    const telling = fc.constantFrom(
      ...['a', '1', '\u0301', '\u200b', '\u200c', '\u200d', '\u202e', '\ufe0f', '\u{e0100}', '\u180b'],
      ...['می', 'क्', '葛', '\u{1f600}', '\u{1f3fd}', '\u{1f3f4}', '\u{e0067}', '\u{e007f}', '\u20e3', ' '],
    );
    const characters = fc.oneof(telling, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }));
    fc.assert(
      fc.property(fc.array(characters, { maxLength: 12 }), (parts) => {
        const once = visibleText(parts.join(''));
        expect(visibleText(once)).toBe(once);
        expect(once).not.toMatch(/[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/);
      }),
    );
  });
});

test.each(['', ' ', '\u00a0', '\u2800', '\ufffc', '\u0301', '\u200d', '\n'])('%j is not visible', (text) => {
  expect(isVisible(text)).toBe(false);
});
