/**
 * What a node type can do. No ElastiCache API says; the vCPUs are EC2's for the same name without `cache.`.
 * Families and sizes: ElastiCache user guide, "Supported node types".
 */

/** By size. */
type Sizes = ReadonlyMap<string, number>;

const sizes = (text: string): Sizes =>
  new Map(text.split(' ').map((pair): [string, number] => [pair.split(':')[0] ?? '', Number(pair.split(':')[1])]));

const STANDARD = 'large:2 xlarge:4 2xlarge:8 4xlarge:16';
const BURSTABLE = sizes('micro:2 small:2 medium:2');
const GRAVITON = sizes(`${STANDARD} 8xlarge:32 12xlarge:48 16xlarge:64`);
const FIFTH = sizes(`${STANDARD} 12xlarge:48 24xlarge:96`);

/** vCPUs by family and size. t2.small has one, t3.small two; m2.xlarge has two; r6gd begins at xlarge. */
const VCPUS: ReadonlyMap<string, Sizes> = new Map([
  ['t1', sizes('micro:1')],
  ['t2', sizes('micro:1 small:1 medium:2')],
  ['t3', BURSTABLE],
  ['t4g', BURSTABLE],
  ['m1', sizes('small:1 medium:1 large:2 xlarge:4')],
  ['m2', sizes('xlarge:2 2xlarge:4 4xlarge:8')],
  ['m3', sizes('medium:1 large:2 xlarge:4 2xlarge:8')],
  ['m4', sizes(`${STANDARD} 10xlarge:40`)],
  ['m5', FIFTH],
  ['m6g', GRAVITON],
  ['m7g', GRAVITON],
  ['c1', sizes('xlarge:8')],
  ['c7gn', GRAVITON],
  ['r3', sizes(`${STANDARD} 8xlarge:32`)],
  ['r4', sizes(`${STANDARD} 8xlarge:32 16xlarge:64`)],
  ['r5', FIFTH],
  ['r6g', GRAVITON],
  ['r6gd', sizes('xlarge:4 2xlarge:8 4xlarge:16 8xlarge:32 12xlarge:48 16xlarge:64')],
  ['r7g', GRAVITON],
]);

/** % of one vCPU a burstable node earns credits for (standard credits: without any left it is held to this). */
const BASELINES = sizes('micro:10 small:20 medium:20');

/** vCPUs of a node type such as `cache.r6g.large`; null: not in the table. */
export const vcpusOf = (nodeType: string): number | null => {
  const { family, size } = parts(nodeType);
  return VCPUS.get(family)?.get(size) ?? null;
};

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
  /** 0: the engine does all I/O itself; 1: enhanced I/O; 2: TLS offload and multiplexing too. */
  readonly ioThreads: number;
}

const parts = (nodeType: string): { family: string; size: string } => {
  const [, family = '', size = ''] = nodeType.split('.');
  return { family, size };
};

const parse = (name: string): NodeType | null => {
  const { family, size } = parts(name);
  const [, letter, digits, suffix = ''] = /^([a-z])(\d+)([a-z]*)$/.exec(family) ?? [];
  if (letter === undefined) return null;
  const table = VCPUS.get(family);
  const vcpus = table === undefined ? bySuffix(letter, size) : table.get(size);
  if (vcpus === undefined) return null;
  const graviton = suffix.startsWith('g');
  const capable = letter !== 't' && Number(digits) >= 4;
  const full = graviton && family !== 'r6gd' ? 4 : 8;
  return {
    name,
    family,
    letter,
    generation: Number(digits),
    vcpus,
    burstable: letter === 't',
    memory: vcpus * (GIB_PER_VCPU.get(letter === 't' ? size : letter) ?? 0),
    ioThreads: !capable || vcpus < 4 ? 0 : vcpus >= full ? 2 : 1,
  };
};

/** maxmemory of the families, rounded down; a burstable node's goes by its size. */
const GIB_PER_VCPU = sizes('r:6 m:3 c:1.5 micro:0.25 small:0.7 medium:1.5');

/** Sizes of the m, r and c families of newer generations than the table: large has 2 vCPUs, Nxlarge 4 N. */
const bySuffix = (letter: string, size: string): number | undefined => {
  if (!'mrc'.includes(letter)) return undefined;
  if (size === 'large') return 2;
  const [, count] = /^(\d*)xlarge$/.exec(size) ?? [];
  return count === undefined ? undefined : 4 * Number(count || 1);
};

/** Whether a node hands TLS to other threads than the engine's (Redis 6.2.5 or later, Valkey). */
export const offloadsTls = (nodeType: string): boolean => (parse(nodeType)?.ioThreads ?? 0) === 2;

/** What a larger node is wanted for. `cores`: other work starves the engine thread of its core. */
export type Need = 'engine' | 'cores' | 'memory' | 'network' | 'credits';

/** Previous generations that AWS may still list. */
const OLDEST_GENERATION = 4;

/**
 * The types among `allowed` that serve the need, best first: none smaller, burstable or of a previous generation; same family first,
 * then the smallest, then the same kind (m, r, c), then the newest. In one family the core is the same at every size, so an
 * engine-bound node gains only from newer cores, from I/O threads it does not have, or from leaving T.
 */
export const ranked = (current: string, allowed: readonly string[], need: Need): string[] => {
  const now = parse(current);
  if (now === null) return [];
  const gains = (type: NodeType): boolean => {
    switch (need) {
      case 'engine':
        return now.burstable || type.ioThreads > now.ioThreads || type.generation > now.generation;
      case 'cores':
        return type.vcpus >= 4;
      case 'credits':
        return true;
      case 'memory':
      case 'network':
        return type.vcpus > now.vcpus || (now.burstable && type.vcpus >= now.vcpus);
    }
  };
  return allowed
    .map(parse)
    .filter((type) => type !== null)
    .filter((type) => type.name !== now.name && !type.burstable && type.generation >= OLDEST_GENERATION)
    .filter((type) => type.vcpus >= now.vcpus && type.memory >= now.memory && gains(type))
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
