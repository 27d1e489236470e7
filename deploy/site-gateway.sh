#!/bin/sh
# `site-gateway` for root on a site's PC: runs as the user of the service, so that no file it
# writes belongs to somebody else. Installed as /usr/local/bin/site-gateway.
exec runuser -u site-gateway -- /opt/site-gateway/bin/site-gateway "$@"
