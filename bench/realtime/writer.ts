/** The process that writes events for a server which it is not part of. */
import { answerRequests } from './processes.ts';
import { openPublisher } from './servers.ts';
import { createWriter } from './writing.ts';

answerRequests(createWriter(openPublisher));
