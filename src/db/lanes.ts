import { sql } from 'drizzle-orm';

/**
 * What an insert into `dispatch_lanes` does where the lane is there already: it is brought forward, and marked as changed
 * so that nobody removes it under the messages that were added.
 */
export const bringLaneForward = sql`
  on conflict (tenant_id, channel_account_id, send_request_id, priority) do update
  set next_release_at = least(dispatch_lanes.next_release_at, excluded.next_release_at),
      revision = dispatch_lanes.revision + 1`;
