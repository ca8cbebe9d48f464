/** The bare server takes the question and sends the answer, both as they are. */
import type { Answer, Dialect } from '../questions.ts';

export const bare: Dialect = {
  path: '/ask',
  body: (question) => question,
  read: (_kind, answer: Answer) => answer,
  seek: null,
};
