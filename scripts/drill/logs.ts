/** The errors and warnings in what the emulator, and in it the functions, logged: a line each, oldest first. Pure. */
export function errorsIn(log: string): string[] {
  return log.split('\n').flatMap((line) => (line.startsWith('{') ? functionError(line) : emulatorError(line)));
}

function functionError(line: string): string[] {
  try {
    const { level, timestamp = '', function: fn = '', message = '', error } = JSON.parse(line);
    if (level !== 'ERROR' && level !== 'WARN') return [];
    const because = typeof error === 'object' && error !== null ? ` (${error.name}: ${error.message})` : '';
    return [`${timestamp.slice(11, 19)} ${fn}: ${message}${because}`];
  } catch {
    return [];
  }
}

/** `2026-11-21 18:06:16 ERROR [lambda] ...` */
function emulatorError(line: string): string[] {
  const [, time, text] = /^\S+ (\d\d:\d\d:\d\d) (?:ERROR|CRITICAL) (.*)/.exec(line) ?? [];
  return time === undefined ? [] : [`${time} emulator: ${text}`];
}
