import { readFileSync } from 'node:fs';

/** A place in a bundle, as V8 writes it: `file:///var/task/handler.mjs:1:2345`, or a path. */
const PLACE = /(file:\/\/[^\s()]+|\/[^\s()]+):(\d+):(\d+)/;

/**
 * From now on a stack names lines of the source where its files have maps beside them (`handler.mjs.map`), which are read when the first
 * such stack is looked at. `--enable-source-maps` would have Node read the maps of all it loads: a fifth of a cold start.
 */
export const stacksNameTheSource = (): void => {
  const maps = new Map<string, ReturnType<typeof mapOf>>();
  const inSource = (frame: string): string =>
    frame.replace(PLACE, (place, file: string, line: string, column: string) => {
      const known = maps.get(file);
      const map = known === undefined ? mapOf(file) : known;
      maps.set(file, map);
      const origin = map?.findOrigin(Number(line), Number(column));
      if (origin === undefined || !('fileName' in origin)) return place;
      return `${origin.fileName.replace(/^(\.\.\/)+/, '')}:${origin.lineNumber}:${origin.columnNumber}`;
    });
  Error.prepareStackTrace = (error, frames) =>
    [Error.prototype.toString.call(error), ...frames.map((frame) => `    at ${inSource(String(frame))}`)].join('\n');
};

const mapOf = (file: string) => {
  try {
    const { SourceMap } = process.getBuiltinModule('node:module');
    const map = `${file}.map`;
    return new SourceMap(JSON.parse(readFileSync(file.startsWith('file:') ? new URL(map) : map, 'utf8')));
  } catch {
    return null;
  }
};
