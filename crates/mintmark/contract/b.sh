curl -X POST "https://service.printprice.pro/api/v2/jobs" \
-H "Authorization: Bearer ${PREFLIGHT_JWT}" \
-H "Content-Type: application/json" \
-d '{
"jobId": "job_manual_verify_101",
"targetFile": "s3://ppos-storage/incoming/validate.pdf"
}'
