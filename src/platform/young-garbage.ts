import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 allocate everything in the young generation, in this process. By default it allocates what a literal makes in the
 * old one once enough of it has survived, as of the events that are kept. Each of these objects then keeps what it
 * refers to alive until a full collection: docs/decisions/0014.
 */
export function allocateYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
