import fc from 'fast-check';

// The same examples for every mutant, so that a score can be repeated; and no search for the smallest failure.
fc.configureGlobal({ seed: 1, endOnFailure: true });
