import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { client, isErrorNamed } from './client.ts';

/** What a marker may hold; a host writes its own, and the reader's memory is everybody's. */
const BYTES_AT_MOST = 64 * 1_024;

/**
 * A small object's text, cut at 64 KiB; null: there is none. Without s3:ListBucket a missing one is AccessDenied.
 * @iam s3:GetObject s3:ListBucket
 */
export const objectText = async (bucket: string, key: string): Promise<string | null> => {
  try {
    const { Body } = await client(S3Client).send(
      new GetObjectCommand({ Bucket: bucket, Key: key, Range: `bytes=0-${BYTES_AT_MOST - 1}` }),
    );
    return (await Body?.transformToString()) ?? '';
  } catch (error) {
    if (isErrorNamed(error, 'NoSuchKey', 'NotFound')) return null;
    // Of an empty object there is no first byte.
    if (isErrorNamed(error, 'InvalidRange')) return '';
    throw error;
  }
};
