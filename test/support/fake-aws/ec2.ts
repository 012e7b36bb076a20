import type { AwsReply } from '../aws-endpoint.ts';
import { fromForm } from './elbv2.ts';
import { AwsError, type Service } from './service.ts';

export interface FakeVolume {
  readonly id: string;
  readonly tags: Record<string, string>;
  /** Instance and device it is attached to; null: available. */
  attached: { readonly instance: string; readonly device: string } | null;
}

export interface FakeInstance {
  readonly id: string;
  state: string;
  readonly tags: Record<string, string>;
  readonly type: string;
  readonly zone: string;
  readonly spot: boolean;
  readonly root: string;
  readonly devices: { readonly name: string; readonly volume: string; deleteOnTermination: boolean }[];
}

interface Filter {
  readonly Name: string;
  readonly Value: readonly string[];
}

const GONE = ['shutting-down', 'terminated'];

/**
 * EC2 as it treats instances and their volumes. A filter leaves out unknown ids. A terminated instance shows no devices, and
 * deletes the volumes that were to go with it; a dying one takes no change of its attributes.
 */
export const fakeEc2 = () => {
  const instances = new Map<string, FakeInstance>();
  const volumes = new Map<string, FakeVolume>();

  const filtered = (filters: readonly Filter[], name: string): readonly string[] => {
    const values = filters.find(({ Name }) => Name === name)?.Value ?? [];
    if (values.length > 200) throw new AwsError('FilterLimitExceeded', 'The maximum number of filter values is 200');
    return values;
  };

  const operations: Service['operations'] = {
    DescribeInstances: ({ Filter = [] }: { Filter?: Filter[] }) => ({
      reservationSet: filtered(Filter, 'instance-id')
        .flatMap((id) => instances.get(id) ?? [])
        .map((instance) => ({ ownerId: '111122223333', instancesSet: [described(instance)] })),
    }),

    DescribeVolumes: ({ Filter = [] }: { Filter?: Filter[] }) => {
      const ids = filtered(Filter, 'attachment.instance-id');
      return {
        volumeSet: [...volumes.values()]
          .filter(({ attached }) => attached !== null && ids.includes(attached.instance))
          .map(({ id, tags, attached }) => ({
            volumeId: id,
            status: attached === null ? 'available' : 'in-use',
            attachmentSet: attached === null ? [] : [{ instanceId: attached.instance, device: attached.device }],
            tagSet: tagSet(tags),
          })),
      };
    },

    ModifyInstanceAttribute: ({ InstanceId, BlockDeviceMapping = [] }: ModifyInput) => {
      const instance = instances.get(InstanceId);
      if (instance === undefined) {
        throw new AwsError('InvalidInstanceID.NotFound', `The instance ID '${InstanceId}' does not exist`);
      }
      if (GONE.includes(instance.state)) {
        throw new AwsError('IncorrectInstanceState', `The instance '${InstanceId}' is not in a valid state.`);
      }
      for (const { DeviceName, Ebs } of BlockDeviceMapping) {
        const device = instance.devices.find(({ name }) => name === DeviceName);
        if (device === undefined) {
          throw new AwsError('InvalidInstanceAttributeValue', `No device is currently mapped at ${DeviceName}`);
        }
        device.deleteOnTermination = Ebs.DeleteOnTermination === 'true';
      }
      return { return: true };
    },

    CreateTags: ({ ResourceId, Tag }: TagInput) => {
      for (const tags of tagsOf(ResourceId)) for (const { Key, Value = '' } of Tag) tags[Key] = Value;
      return { return: true };
    },

    DeleteTags: ({ ResourceId, Tag }: TagInput) => {
      for (const tags of tagsOf(ResourceId)) for (const { Key } of Tag) delete tags[Key];
      return { return: true };
    },
  };

  const tagsOf = (ids: readonly string[]): Record<string, string>[] =>
    ids.map((id) => {
      const found = volumes.get(id) ?? instances.get(id);
      if (found === undefined) throw new AwsError('InvalidVolume.NotFound', `The volume '${id}' does not exist.`);
      return found.tags;
    });

  const service: Service = {
    name: 'ec2',
    operations,
    route: ({ body }) => {
      const { Action, ...input } = fromForm(body);
      return { operation: String(Action), input };
    },
  };

  return {
    service,
    instances,
    volumes,
    /** What EC2 does with it: volumes are kept or deleted, the instance shows no devices any more. */
    terminate: (id: string): void => {
      const instance = instances.get(id);
      if (instance === undefined) return;
      instance.state = 'terminated';
      for (const { volume, deleteOnTermination } of instance.devices) {
        const kept = volumes.get(volume);
        if (deleteOnTermination) volumes.delete(volume);
        else if (kept !== undefined) kept.attached = null;
      }
      instance.devices.length = 0;
    },
  };
};

export type FakeEc2 = ReturnType<typeof fakeEc2>;

interface ModifyInput {
  readonly InstanceId: string;
  readonly BlockDeviceMapping?: readonly {
    readonly DeviceName: string;
    readonly Ebs: { readonly DeleteOnTermination: string };
  }[];
}

interface TagInput {
  readonly ResourceId: readonly string[];
  readonly Tag: readonly { readonly Key: string; readonly Value?: string }[];
}

const tagSet = (tags: Readonly<Record<string, string>>) => Object.entries(tags).map(([key, value]) => ({ key, value }));

const described = ({ id, state, tags, type, zone, spot, root, devices }: FakeInstance) => ({
  instanceId: id,
  instanceState: { code: 16, name: state },
  instanceType: type,
  placement: { availabilityZone: zone },
  ...(spot && { instanceLifecycle: 'spot' }),
  rootDeviceName: root,
  blockDeviceMapping: devices.map(({ name, volume, deleteOnTermination }) => ({
    deviceName: name,
    ebs: { volumeId: volume, status: 'attached', deleteOnTermination },
  })),
  tagSet: tagSet(tags),
});

/** EC2's own dialect: lists are rows of `item`, answers have no Result, errors a list of their own. */
export const ec2Answer = (operation: string, output: object): AwsReply => ({
  body: `<${operation}Response>${xml(output)}</${operation}Response>`,
});

export const ec2Refusal = ({ code, message, status }: AwsError): AwsReply => ({
  status,
  body: `<Response><Errors><Error>${xml({ Code: code, Message: message })}</Error></Errors></Response>`,
});

const xml = (value: unknown): string => {
  if (Array.isArray(value)) return value.map((item) => `<item>${xml(item)}</item>`).join('');
  if (typeof value !== 'object' || value === null) {
    return String(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  }
  return Object.entries(value)
    .map(([name, inner]) => `<${name}>${xml(inner)}</${name}>`)
    .join('');
};
