/** What `npm run drill` runs: plain JavaScript, so that it can say what is missing before anything else is loaded. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const installed = existsSync(join(import.meta.dirname, '..', '..', 'node_modules', 'yaml'));
const [major] = process.versions.node.split('.').map(Number);

if (!installed) {
  console.error('\n  The dependencies are not installed.\n    npm ci && npm run drill\n');
  process.exit(2);
}
if (major < 24) {
  console.error(
    `\n  This is Node ${process.versions.node}; the project brings its own. Start the drill through npm:\n    npm run drill\n`,
  );
  process.exit(2);
}
await import('../drill.ts');
