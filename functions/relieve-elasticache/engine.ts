/** What an engine can do, by its version. Source: ElastiCache user guide, "Supported node types" and "Metrics for Redis". */
export interface Engine {
  /** redis, valkey. */
  readonly engine: string;
  /** `7.1.0`, `6.x`; null: not known, taken for a new one. */
  readonly engineVersion: string | null;
  /** Encryption in transit. */
  readonly tls: boolean;
}

/** Whether it is Valkey, or Redis of this version or a later one; a part of the version that is not told counts as the newest. */
export const isValkeyOrRedis = ({ engine, engineVersion }: Engine, wanted: string): boolean => {
  if (engine === 'valkey' || engineVersion === null) return true;
  const parts = engineVersion.split('.').map(Number);
  for (const [i, least] of wanted.split('.').map(Number).entries()) {
    const part = parts[i] ?? Number.NaN;
    if (Number.isNaN(part) || part > least) return true;
    if (part < least) return false;
  }
  return true;
};

/**
 * How much of a node's I/O threads the engine uses: 0 nothing, 1 enhanced I/O, 2 TLS offload or multiplexing too. TLS offload is
 * worth nothing without TLS.
 */
export const ioThreadsUsed = (engine: Engine): 0 | 1 | 2 => {
  if (!isValkeyOrRedis(engine, '5.0.6')) return 0;
  return isValkeyOrRedis(engine, '7.0.4') || (engine.tls && isValkeyOrRedis(engine, '6.2.5')) ? 2 : 1;
};

/** ReplicationLag is published in seconds; Redis 5.0.6 publishes milliseconds. */
export const lagInSeconds = (lag: number | null, { engineVersion }: Engine): number | null =>
  lag !== null && engineVersion === '5.0.6' ? lag / 1_000 : lag;

/** `Redis 7.1.0`. */
export const inWords = ({ engine, engineVersion }: Engine): string =>
  `${engine.charAt(0).toUpperCase()}${engine.slice(1)} ${engineVersion ?? ''}`.trim();

/** The newest Redis; Valkey is another engine. */
export const NEWEST_REDIS = '7.1';
