import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { client, isErrorNamed } from './client.ts';

/**
 * A small object's text; null: there is none. Without s3:ListBucket a missing one is AccessDenied.
 * @iam s3:GetObject s3:ListBucket
 */
export const objectText = async (bucket: string, key: string): Promise<string | null> => {
  try {
    const { Body } = await client(S3Client).send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await Body?.transformToString()) ?? '';
  } catch (error) {
    if (isErrorNamed(error, 'NoSuchKey', 'NotFound')) return null;
    throw error;
  }
};
