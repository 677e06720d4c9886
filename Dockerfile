# The release is the same to the byte wherever it is built with this Go, this compiler and this C library: make reproduce.
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG RELEASE=image
RUN make static RELEASE="$RELEASE"
# What the program may write to, and nothing else: its data, and the demo's throw-away folder.
RUN mkdir -p /writable/data /writable/tmp && chmod 700 /writable/*

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /writable/ /
COPY --from=build /src/anteroom /anteroom
USER 65532:65532
ENV ANTEROOM_ADDR=0.0.0.0:8080 ANTEROOM_DATA=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["/anteroom", "healthcheck"]
ENTRYPOINT ["/anteroom"]
CMD ["serve"]
