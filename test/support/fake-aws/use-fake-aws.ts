import { afterAll, beforeEach, vi } from 'vitest';
import { type Dynalite, startDynalite } from '../dynalite.ts';
import { type FakeAws, startFakeAws } from './fake-aws.ts';

/**
 * The fake AWS of a test file: every test begins with an empty account and the SDK pointed at it. One endpoint a file,
 * because the process keeps one client a service. Retries wait no time; metrics are not printed.
 */
export const useFakeAws = async (): Promise<FakeAws> => prepared(await startFakeAws());

/** The same with a DynamoDB emulator behind it. */
export const useFakeAwsWithDynamodb = async (): Promise<FakeAws & { readonly dynalite: Dynalite }> => {
  const dynalite = await startDynalite();
  const fake = prepared(await startFakeAws({ dynamodb: dynalite.endpoint }));
  afterAll(() => dynalite.stop());
  return Object.defineProperties({ dynalite }, Object.getOwnPropertyDescriptors(fake)) as FakeAws & {
    readonly dynalite: Dynalite;
  };
};

const prepared = (fake: FakeAws): FakeAws => {
  beforeEach(async () => {
    // A read that failed may have left others on their way.
    await fake.quiet();
    fake.reset();
    vi.stubEnv('AWS_ENDPOINT_URL', fake.url);
    vi.stubEnv('POWERTOOLS_METRICS_DISABLED', 'true');
    vi.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterAll(() => fake.close());
  return fake;
};
