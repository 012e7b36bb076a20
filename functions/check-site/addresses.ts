import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** The function's own process, its runtime's API, the credentials of an instance or a task, and what is no host at all. */
const LOCAL = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
] as const) {
  LOCAL.addSubnet(net, bits, 'ipv4');
}
for (const [net, bits] of [
  ['::', 127],
  ['fe80::', 10],
  ['ff00::', 8],
  // The instance metadata service.
  ['fd00:ec2::', 32],
] as const) {
  LOCAL.addSubnet(net, bits, 'ipv6');
}

/** Whether an address is one that no check should be sent to; an IPv4 address in IPv6's clothes counts as what it is. */
export const isLocal = (address: string): boolean => LOCAL.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** Which addresses are not asked. */
export type Refuses = (address: string) => boolean;

/** @throws Error for a host that is itself a refused address. For a name, `lookupBut` decides. */
export const refuseHost = (hostname: string, refuses: Refuses): void => {
  const address = hostname.replace(/^\[|\]$/g, '');
  if (isIP(address) !== 0 && refuses(address)) throw new Error(`${address} is a local address`);
};

/**
 * Resolves a name, and fails where any of its addresses is refused: what is connected to is what was looked at. Node resolves as many at
 * once as half of UV_THREADPOOL_SIZE.
 */
export const lookupBut =
  (refuses: Refuses): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, '');
      const local = addresses.find(({ address }) => refuses(address));
      if (local !== undefined) {
        return callback(new Error(`${hostname} resolves to ${local.address}, a local address`), '');
      }
      const [first] = addresses;
      if (options.all === true || first === undefined) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
