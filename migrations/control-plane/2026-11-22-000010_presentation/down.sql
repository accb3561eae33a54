DROP TABLE look_image;
DROP TABLE brand_presentation;
