import { serveBare } from './bare.ts';

serveBare(false);
