# One image for migrate, api and worker. Node 26 runs the TypeScript as it is: there is no build step.
FROM node:26-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
WORKDIR /app
COPY package.json package-lock.json ./
# The optional packages are a Node and a Postgres for bare machines; this image has the one and compose brings the other.
RUN npm ci --omit=dev --omit=optional && npm cache clean --force
COPY daihuo LICENSE README.md ./
COPY migrations migrations
COPY src src
USER node
EXPOSE 3000
# Ready means: Postgres and Redis answer and the schema is current.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["./daihuo"]
CMD ["serve"]
