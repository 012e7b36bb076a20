import { isAccessDenied, isErrorNamed, isThrottle, isTransient } from '../../shared/aws/client.ts';
import { Stop } from './command.ts';

const expired = ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired'];
const invalid = [
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
];

const drill = 'An embedded AWS (npm run drill -- --keep) prints the variables it wants.';

/** An error as a person at a terminal can use it: what is wrong, and the way out. */
export function explained(error: unknown, env: Readonly<Record<string, string | undefined>>): Stop {
  if (error instanceof Stop) return error;
  const message = messageOf(error);
  if (isErrorNamed(error, ...expired) || /token.*expired|session.*expired|expired.*token/i.test(message)) {
    return new Stop(`Your AWS session has expired: ${message}`, 'Sign in again, for example: aws sso login');
  }
  if (
    isErrorNamed(error, 'CredentialsProviderError', 'TokenProviderError') ||
    /could not load credentials/i.test(message)
  ) {
    return new Stop('No AWS credentials.', `Set AWS_PROFILE, or sign in, for example: aws sso login\n${drill}`);
  }
  if (/region is missing/i.test(message)) {
    return new Stop(
      'No AWS Region.',
      `Set the Region Reflex is deployed in, for example: export AWS_REGION=eu-west-1\n${drill}`,
    );
  }
  if (isErrorNamed(error, ...invalid)) {
    return new Stop(`AWS does not accept these credentials: ${message}`, 'Check AWS_PROFILE and the access keys.');
  }
  if (isAccessDenied(error)) {
    return new Stop(message, 'docs/operating.md lists the permissions an operator needs.');
  }
  if (isErrorNamed(error, 'ResourceNotFoundException')) {
    return new Stop(`The ledger table does not exist here: ${message}`, 'Check AWS_REGION, --table and LEDGER_TABLE.');
  }
  if (isThrottle(error)) return new Stop(`AWS is throttling: ${message}`, 'Try again in a minute.');
  if (isTransient(error) || error instanceof AggregateError) {
    const where = env.AWS_ENDPOINT_URL || 'AWS';
    return new Stop(
      `No answer from ${where}: ${message || 'connection refused'}`,
      'Check the network, AWS_REGION and AWS_ENDPOINT_URL.',
    );
  }
  return new Stop(message, '');
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
