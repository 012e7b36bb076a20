import { client } from './client.ts';

export interface TaggedResource {
  readonly arn: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Resources of a type (`kinesis:stream`) that carry a tag with a value; 100 a page. */
export const resourcesTagged = async (type: string, key: string, value: string): Promise<TaggedResource[]> => {
  const { ResourceGroupsTaggingAPIClient, paginateGetResources } = await import(
    '@aws-sdk/client-resource-groups-tagging-api'
  );
  const found: TaggedResource[] = [];
  const pages = paginateGetResources(
    { client: client(ResourceGroupsTaggingAPIClient), pageSize: 100 },
    { ResourceTypeFilters: [type], TagFilters: [{ Key: key, Values: [value] }] },
  );
  for await (const { ResourceTagMappingList = [] } of pages) {
    for (const { ResourceARN, Tags = [] } of ResourceTagMappingList) {
      if (ResourceARN === undefined) continue;
      found.push({
        arn: ResourceARN,
        tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key ?? '', Value ?? ''])),
      });
    }
  }
  return found;
};
