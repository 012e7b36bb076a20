import { AwsError, fromToken, page, type Service, toToken } from './service.ts';

export interface Tagged {
  readonly arn: string;
  readonly tags: Readonly<Record<string, string>>;
}

interface GetResourcesInput {
  readonly TagFilters?: readonly { readonly Key: string; readonly Values?: readonly string[] }[];
  readonly ResourceTypeFilters?: readonly string[];
  readonly ResourceARNList?: readonly string[];
  readonly ResourcesPerPage?: number;
  readonly PaginationToken?: string;
}

/** Resource Groups Tagging API over the resources the other fakes hold. The last page's token is an empty text. */
export const fakeTagging = (resources: () => readonly Tagged[]) => {
  const service: Service = {
    name: 'tagging',
    operations: {
      GetResources: (input: GetResourcesInput) => {
        const { TagFilters = [], ResourceTypeFilters = [], ResourcesPerPage = 50, PaginationToken } = input;
        if (input.ResourceARNList !== undefined && Object.keys(input).length > 1) {
          throw new AwsError('InvalidParameterException', 'ResourceARNList cannot be combined with other parameters.');
        }
        const found = resources().filter(
          ({ arn, tags }) =>
            (input.ResourceARNList?.includes(arn) ?? true) &&
            Object.keys(tags).length > 0 &&
            (ResourceTypeFilters.length === 0 || ResourceTypeFilters.some((type) => isOfType(arn, type))) &&
            TagFilters.every(({ Key, Values = [] }) => {
              const value = tags[Key];
              return value !== undefined && (Values.length === 0 || Values.includes(value));
            }),
        );
        const from = PaginationToken === undefined ? 0 : fromToken<number>(PaginationToken);
        const { items, next } = page(found, from, ResourcesPerPage);
        return {
          ResourceTagMappingList: items.map(({ arn, tags }) => ({
            ResourceARN: arn,
            Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
          })),
          PaginationToken: next === undefined ? '' : toToken(next),
        };
      },
    },
  };
  return { service };
};

const isOfType = (arn: string, filter: string): boolean => {
  const [service, type] = filter.split(':');
  const [, , ofService, , , resource = ''] = arn.split(':');
  return ofService === service && (type === undefined || resource.split('/')[0] === type);
};
