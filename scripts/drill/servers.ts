import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../build.ts';
import {
  account,
  cleanEnvironment,
  emptied,
  freePort,
  host,
  type Launch,
  region,
  type Server,
  start,
} from './emulator.ts';

/** Both emulators. The functions run inside ministack. */
export interface Servers {
  readonly ministack: Server;
  readonly moto: Server;
}

/**
 * Starts both on loopback. moto has Kinesis and the metrics: it keeps closed shards, answers DescribeLimits, and gives
 * GetMetricData's times as the SDK reads them; Application Auto Scaling too, which ministack lacks. ministack has
 * everything else, also the alarms.
 * `bin`: executables of the Python environment. `awsPort`: for ministack. `xray`: where segments go.
 * @throws Problem
 */
export async function startServers(bin: string, directory: string, awsPort: number, xray: string): Promise<Servers> {
  const motoPort = await freePort();
  const temporary = emptied(join(directory, 'tmp'));
  // ministack runs the functions from there with a worker written in CommonJS; ours says ES modules.
  writeFileSync(join(temporary, 'package.json'), '{}');
  const env = cleanEnvironment([join(ROOT, 'node_modules', '.bin'), bin], temporary);
  const common = { command: join(bin, 'python'), directory };
  const launches: readonly Launch[] = [
    {
      ...common,
      name: 'moto',
      args: ['-m', 'moto.server', '-H', host, '-p', String(motoPort)],
      port: motoPort,
      env,
      health: '/moto-api/',
    },
    {
      ...common,
      name: 'ministack',
      args: ['-m', 'ministack'],
      port: awsPort,
      env: {
        ...env,
        BIND_HOST: host,
        MINISTACK_HOST: host,
        GATEWAY_PORT: String(awsPort),
        IOT_MTLS_ENABLED: '0',
        MINISTACK_ACCOUNT_ID: account,
        MINISTACK_REGION: region,
        AWS_XRAY_DAEMON_ADDRESS: xray,
        AWS_ENDPOINT_URL: `http://${host}:${awsPort}`,
        AWS_ENDPOINT_URL_KINESIS: `http://${host}:${motoPort}`,
        AWS_ENDPOINT_URL_CLOUDWATCH: `http://${host}:${motoPort}`,
        AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING: `http://${host}:${motoPort}`,
      },
      health: '/_ministack/health',
    },
  ];
  const [moto, ministack] = await Promise.all(launches.map(start));
  if (moto === undefined || ministack === undefined) throw new Error('not every emulator was started');
  return { moto, ministack };
}

/** The environment in which the AWS CLI and the project's commands speak to the emulators, and to nothing else. */
export function clientEnvironment({ ministack, moto }: Servers): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: ministack.endpoint,
    AWS_ENDPOINT_URL_KINESIS: moto.endpoint,
    AWS_ENDPOINT_URL_CLOUDWATCH: moto.endpoint,
    AWS_ENDPOINT_URL_EC2: moto.endpoint,
    AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING: moto.endpoint,
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: 'drill',
    AWS_REGION: region,
    // What version 1 of the AWS CLI reads.
    AWS_DEFAULT_REGION: region,
  };
}
