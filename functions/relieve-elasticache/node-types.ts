import { parts, sizes, VCPUS } from '../../shared/cache-nodes.ts';
import { type Engine, ioThreadsUsed, isValkeyOrRedis } from './engine.ts';

/** % of one vCPU a burstable node earns credits for (standard credits: without any left it is held to this). */
const BASELINES = sizes('micro:10 small:20 medium:20');

/** % of all vCPUs that a burstable node without credits can use; null: not a burstable node that publishes its credits. */
export const creditBaseline = (nodeType: string): number | null => {
  const { family, size } = parts(nodeType);
  return ['t3', 't4g'].includes(family) ? (BASELINES.get(size) ?? null) : null;
};

interface NodeType {
  readonly name: string;
  readonly family: string;
  /** t, m, r, c. */
  readonly letter: string;
  readonly generation: number;
  readonly vcpus: number;
  readonly burstable: boolean;
  /** GiB, about: to see that a step loses none. */
  readonly memory: number;
  /** Data tiering: values on SSD. AWS never changes a cache from or to it. */
  readonly tiered: boolean;
  /** 0: the engine does all I/O itself; 1: enhanced I/O; 2: TLS offload and multiplexing too. */
  readonly ioThreads: number;
}

const parse = (name: string): NodeType | null => {
  const { family, size } = parts(name);
  const [, letter, digits, suffix = ''] = /^([a-z])(\d+)([a-z]*)$/.exec(family) ?? [];
  if (letter === undefined) return null;
  const table = VCPUS.get(family);
  const vcpus = table === undefined ? bySuffix(letter, size) : table.get(size);
  if (vcpus === undefined) return null;
  const graviton = suffix.startsWith('g');
  const tiered = suffix.endsWith('d');
  const capable = Number(digits) >= 4;
  const full = graviton && !tiered ? 4 : 8;
  return {
    name,
    family,
    letter,
    generation: Number(digits),
    vcpus,
    burstable: letter === 't',
    memory: vcpus * (GIB_PER_VCPU.get(letter) ?? 0),
    tiered,
    ioThreads: !capable || vcpus < 4 ? 0 : vcpus >= full ? 2 : 1,
  };
};

/** maxmemory of the families, rounded down. A burstable node has no more of it than any other of as many vCPUs. */
const GIB_PER_VCPU = sizes('r:6 m:3 c:1.5');

/** Sizes of the m, r and c families of newer generations than the table: large has 2 vCPUs, Nxlarge 4 N. */
const bySuffix = (letter: string, size: string): number | undefined => {
  if (!'mrc'.includes(letter)) return undefined;
  if (size === 'large') return 2;
  const [, count] = /^(\d*)xlarge$/.exec(size) ?? [];
  return count === undefined ? undefined : 4 * Number(count || 1);
};

/** How much of its I/O an engine hands to other threads on a node: 0 nothing, 1 enhanced I/O, 2 TLS or multiplexing too. */
export const ioThreads = (nodeType: string, engine: Engine): number =>
  Math.min(parse(nodeType)?.ioThreads ?? 0, ioThreadsUsed(engine));

/** Whether a node hands TLS to other threads than the engine's. */
export const offloadsTls = (nodeType: string, engine: Engine): boolean =>
  (parse(nodeType)?.ioThreads ?? 0) === 2 && isValkeyOrRedis(engine, '6.2.5');

/** What a larger node is wanted for. `cores`: other work starves the engine thread of its core. */
export type Need = 'engine' | 'cores' | 'memory' | 'network' | 'credits';

/** Previous generations that AWS may still list. */
const OLDEST_GENERATION = 4;

/**
 * The types among `allowed` that serve the need, best first: none smaller, burstable or of a previous generation; same family first,
 * then the smallest, then the same kind (m, r, c), then the newest. In one family the core is the same at every size, so an
 * engine-bound node gains only from newer cores, from I/O threads it does not have and its engine's version uses, or from leaving T.
 */
export const ranked = (current: string, allowed: readonly string[], need: Need, engine: Engine): string[] => {
  const now = parse(current);
  if (now === null) return [];
  const threads = (type: NodeType): number => Math.min(type.ioThreads, ioThreadsUsed(engine));
  const gains = (type: NodeType): boolean => {
    switch (need) {
      case 'engine':
        return now.burstable || threads(type) > threads(now) || type.generation > now.generation;
      case 'cores':
        return type.vcpus >= 4;
      case 'credits':
      case 'memory':
      case 'network':
        return now.burstable || type.vcpus > now.vcpus;
    }
  };
  return allowed
    .map(parse)
    .filter((type) => type !== null)
    .filter((type) => type.name !== now.name && !type.burstable && type.generation >= OLDEST_GENERATION)
    .filter((type) => type.tiered === now.tiered && type.vcpus >= now.vcpus && type.memory >= now.memory)
    .filter(gains)
    .sort(
      (a, b) =>
        Number(b.family === now.family) - Number(a.family === now.family) ||
        a.vcpus - b.vcpus ||
        Number(b.letter === now.letter) - Number(a.letter === now.letter) ||
        b.generation - a.generation ||
        a.name.localeCompare(b.name),
    )
    .map(({ name }) => name);
};
