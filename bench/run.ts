/** `npm run bench`: each table compares side by side in one run and gives ratios; bare times mean nothing on another machine. */
import { coldStart } from './cold-start.ts';

await coldStart();
