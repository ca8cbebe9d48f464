# A gateway with production dependencies only, as an unprivileged user. It contains no database: DATABASE_URL and an
# issuer (OIDC_*) are required.

FROM node:24-bookworm-slim AS built
WORKDIR /app
COPY package.json package-lock.json ./
# Install scripts would only download another Node, and engines that are not used here.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY prisma.config.ts ./
COPY prisma ./prisma
# Prisma starts its generators by their names.
RUN PATH=/app/node_modules/.bin:$PATH node node_modules/prisma/build/index.js generate
COPY src ./src
COPY build ./build
RUN node build/bundle.ts

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Without optional dependencies, which only development needs: the command line of Prisma is one of them.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=built /app/prisma/generated ./prisma/generated
COPY prisma/migrations ./prisma/migrations
COPY package.json package-lock.json LICENSE ./
# The bundle is used only with the very sources that it was made of, with the same times of change.
COPY --from=built /app/src ./src
COPY --from=built /app/dist ./dist
USER node
EXPOSE 4000
# Health, not readiness: a gateway must not be restarted because its database is away.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without npm, which is not needed to run a gateway.
CMD ["node", "src/main.ts"]
