//! Log set-up, counters by enum, latencies (hdrhistogram), Prometheus text.
