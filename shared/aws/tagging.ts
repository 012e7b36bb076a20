import { GetResourcesCommand, ResourceGroupsTaggingAPIClient } from '@aws-sdk/client-resource-groups-tagging-api';
import { client } from './client.ts';

export interface TaggedResource {
  readonly arn: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Resources of a type (`kinesis:stream`) that carry a tag with a value; 100 a page. */
export const resourcesTagged = async (type: string, key: string, value: string): Promise<TaggedResource[]> => {
  const found: TaggedResource[] = [];
  let token: string | undefined;
  do {
    const page = await client(ResourceGroupsTaggingAPIClient).send(
      new GetResourcesCommand({
        ResourceTypeFilters: [type],
        TagFilters: [{ Key: key, Values: [value] }],
        ResourcesPerPage: 100,
        ...(token !== undefined && { PaginationToken: token }),
      }),
    );
    for (const { ResourceARN, Tags = [] } of page.ResourceTagMappingList ?? []) {
      if (ResourceARN === undefined) continue;
      found.push({
        arn: ResourceARN,
        tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key ?? '', Value ?? ''])),
      });
    }
    // The last page's token is an empty text.
    token = page.PaginationToken || undefined;
  } while (token !== undefined);
  return found;
};
