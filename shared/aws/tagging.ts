import { GetResourcesCommand, ResourceGroupsTaggingAPIClient } from '@aws-sdk/client-resource-groups-tagging-api';
import { client } from './client.ts';
import { allPages, chunksOf } from './pages.ts';

export interface TaggedResource {
  readonly arn: string;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * Resources of a type (`kinesis:stream`) that carry a tag, with this value or, where none is given, any; 100 a page.
 * @iam tag:GetResources
 */
export const resourcesTagged = async (type: string, key: string, value?: string): Promise<TaggedResource[]> => {
  const mappings = await allPages(async (PaginationToken) => {
    const page = await client(ResourceGroupsTaggingAPIClient).send(
      new GetResourcesCommand({
        ResourceTypeFilters: [type],
        TagFilters: [{ Key: key, ...(value !== undefined && { Values: [value] }) }],
        ResourcesPerPage: 100,
        PaginationToken,
      }),
    );
    return { items: page.ResourceTagMappingList, next: page.PaginationToken };
  });
  return mappings.flatMap(({ ResourceARN, Tags = [] }) =>
    ResourceARN === undefined
      ? []
      : [{ arn: ResourceARN, tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key ?? '', Value ?? ''])) }],
  );
};

/** ARNs a call may name. */
const ARNS_PER_CALL = 100;

/**
 * Tags of resources by ARN; one that never had a tag, or does not exist, is absent. Unlike the services' own calls it answers while a resource is being changed.
 * @iam tag:GetResources
 */
export const tagsOf = async (
  arns: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> => {
  const read = async (ResourceARNList: string[]) => {
    const { ResourceTagMappingList = [] } = await client(ResourceGroupsTaggingAPIClient).send(
      new GetResourcesCommand({ ResourceARNList }),
    );
    return ResourceTagMappingList;
  };
  return new Map(
    (await Promise.all(chunksOf(arns, ARNS_PER_CALL).map(read)))
      .flat()
      .map(({ ResourceARN = '', Tags = [] }) => [
        ResourceARN,
        Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
      ]),
  );
};
