import { serveBare } from './bare.ts';

serveBare(true);
