-- Cars send 210 engine readings in one message, `#` between them. An autoencoder scores each message;
-- a score above 3 is an anomaly. The statements are the ones the demo's users typed into ksqlDB's shell,
-- trailing backslashes included.
--
--   alcedo run queries/car_anomaly.sql            in memory, devices connect to the address it prints
--   alcedo run queries/car_anomaly.sql -b HOST:PORT    on a Kafka cluster

CREATE STREAM carsensor (eventid INTEGER, sensorinput VARCHAR) \
  WITH (kafka_topic='temperature', value_format='DELIMITED');

LIST FUNCTIONS;
DESCRIBE FUNCTION ANOMALY;

-- Every message with its score, for whoever looks at it right now.
SELECT eventid, ANOMALY(sensorinput) FROM carsensor EMIT CHANGES;

-- The same as a topic of its own, for other programs.
CREATE STREAM anomalydetection AS \
SELECT eventid, CAST(ANOMALY(sensorinput) AS DOUBLE) AS anomaly \
FROM   carsensor;

CREATE STREAM anomalyscore WITH (kafka_topic='anomalyscore', value_format='JSON') AS \
SELECT eventid, CAST(ANOMALY(sensorinput) AS DOUBLE) AS anomaly \
FROM   carsensor \
EMIT CHANGES;

-- Only what breaches the threshold.
CREATE STREAM anomalydetectionwithfilter AS \
SELECT eventid, anomaly \
FROM   anomalydetection \
WHERE  anomaly > 3;

PRINT 'ANOMALYDETECTIONWITHFILTER' FROM BEGINNING;
