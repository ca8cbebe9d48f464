import { serveBareDecisions } from './bare-deciding.ts';

serveBareDecisions(false);
