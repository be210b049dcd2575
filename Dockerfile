# One image, three commands: server, worker, migrate. `docker run … worker` picks one.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No embedded PostgreSQL in the image: a container has DATABASE_URL.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
WORKDIR /app
RUN mkdir /data && chown node:node /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY openapi ./openapi
COPY migrations ./migrations
COPY src ./src
# `exec`: the signals of `docker stop` must reach Node, which drains before it ends.
RUN printf '%s\n' '#!/bin/sh' 'case "$1" in' \
  '  worker) shift; exec node --max-semi-space-size=8 --max-old-space-size=1024 /app/src/worker.ts "$@" ;;' \
  '  server | migrate) program=$1; shift; exec node "/app/src/$program.ts" "$@" ;;' \
  '  *) exec "$@" ;;' 'esac' > /usr/local/bin/service && chmod 755 /usr/local/bin/service
USER node
VOLUME /data
EXPOSE 8080 9090
# For the server. A worker answers no HTTP: switch it off there (compose.yaml does).
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["service"]
CMD ["server"]
