/**
 * Text that people see. A character that is invisible or changes the direction of text makes one text look like
 * another, so such characters are removed, except where an emoji or a script needs them.
 */

/** Letters and marks of scripts in which a joiner changes the shape of its neighbours. */
const joined = String.raw`[[[\p{scx=Arab}\p{scx=Syrc}\p{scx=Mong}\p{scx=Nkoo}\p{scx=Mand}\p{scx=Adlm}\p{scx=Rohg}\p{scx=Deva}\p{scx=Beng}\p{scx=Guru}\p{scx=Gujr}\p{scx=Orya}\p{scx=Taml}\p{scx=Telu}\p{scx=Knda}\p{scx=Mlym}\p{scx=Sinh}\p{scx=Tibt}\p{scx=Mymr}\p{scx=Khmr}\p{scx=Java}\p{scx=Bali}]&&[\p{L}\p{M}]]--\p{DI}]`;

/** Invisible characters in the places where they are needed. */
const needed = [
  // A joiner between two pictographs, as in a family; what selects a picture; the flags of England, Scotland and Wales.
  String.raw`(?<=\p{ExtPict}[\ufe0f\p{EMod}]?)\u200d(?=\p{ExtPict})`,
  String.raw`(?<=\p{ExtPict})[\ufe0e\ufe0f]`,
  String.raw`(?<=[0-9#*])\ufe0f(?=\u20e3)`,
  String.raw`(?<=\u{1f3f4})[\u{e0061}-\u{e007a}]{5}\u{e007f}`,
  // One joiner or non-joiner, as in Persian and Sinhala.
  String.raw`(?<=${joined})\u200d(?![\u200c\u200d])`,
  String.raw`(?<=${joined})\u200c(?=${joined})`,
  // What selects the form of a letter in Mongolian, and of an ideograph in a Japanese name.
  String.raw`(?<=[\p{sc=Mong}--\p{DI}])[\u180b-\u180d\u180f]`,
  String.raw`(?<=\p{UIdeo})[\ufe00-\ufe02\u{e0100}-\u{e01ef}]`,
].join('|');

/** Those of the format characters that are visible: they stand before numbers in Arabic, Syriac and Kaithi. */
const visibleFormat = String.raw`[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]`;

const invisible = new RegExp(String.raw`(${needed})|[[\p{DI}\p{Cf}]--${visibleFormat}]`, 'gv');

/**
 * Returns the text in Unicode's composed form (NFC), with `\n` for every line break, without spaces around it, and
 * without characters that are invisible or change its direction.
 */
export function visibleText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(invisible, '$1').normalize('NFC').trim();
}

/** Whether a text has a letter, number, sign or symbol, and is not only blank. */
export function isVisible(text: string): boolean {
  // The blank pattern of Braille and the sign for an object that is not shown are symbols.
  return /[[\p{L}\p{N}\p{P}\p{S}]--[\u2800\ufffc]]/v.test(text);
}
