import type { Device } from './facts.ts';

/** The console and launch templates say /dev/sdf for what the kernel calls /dev/xvdf: what follows tells. */
const letter = (name: string): string => name.replace(/^\/dev\/(?:sd|xvd)?/, '');

/**
 * The devices that hold logs. The root device only by the word `root`: whoever lists names may hit it by mistake, and a kept
 * root volume cannot be mounted by the rescue.
 */
export const logDevicesOf = (devices: readonly Device[], wanted: readonly string[]): Device[] =>
  devices.filter(({ name, root }) =>
    root
      ? wanted.includes('root')
      : wanted.includes('all') || wanted.some((word) => word.startsWith('/dev/') && letter(word) === letter(name)),
  );
