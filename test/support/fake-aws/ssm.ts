import { AwsError, type Service } from './service.ts';

/** SSM's change calendars, by name or ARN. */
export const fakeSsm = () => {
  const calendars = new Map<string, { readonly State: string; readonly NextTransitionTime?: string }>();
  const service: Service = {
    name: 'ssm',
    operations: {
      GetCalendarState: ({ CalendarNames }: { CalendarNames: string[] }) => {
        const states = CalendarNames.map((name) => {
          const calendar = calendars.get(name);
          if (calendar === undefined) throw new AwsError('InvalidDocument', `Document ${name} does not exist`);
          return calendar;
        });
        return states.find(({ State }) => State !== 'OPEN') ?? states[0] ?? {};
      },
    },
  };
  return { service, calendars };
};
